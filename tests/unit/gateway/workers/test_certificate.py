"""What a certificate and a key have to be."""

import ssl
import subprocess

import pytest

from bus.process.flags import BadFlag
from gateway.workers.certificate import server_context, warn_of_readers
from tests.tls import certificate


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("one"))


def test_without_files_there_is_no_tls():
    assert server_context(None, None) is None


def test_both_files_make_a_context_for_http11_from_tls12_on(files):
    context = server_context(*files)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    ("have", "words"),
    [((True, False), "--tls-key: missing; --tls-cert"), ((False, True), "--tls-cert: missing")],
)
def test_one_file_without_the_other_is_refused(files, have, words):
    with pytest.raises(BadFlag, match=words):
        server_context(*(file if given else None for file, given in zip(files, have, strict=True)))


def test_a_file_that_is_not_there_is_named(files, tmp_path):
    missing = tmp_path / "missing.pem"
    with pytest.raises(BadFlag, match=r"--tls-cert: .*missing.pem.* No such file"):
        server_context(missing, files[1])
    with pytest.raises(BadFlag, match=r"--tls-key: .*cannot be read: Is a directory"):
        server_context(files[0], tmp_path)


def test_what_is_not_pem_is_refused(files, tmp_path):
    odd = tmp_path / "odd.pem"
    odd.write_text("not a certificate")
    odd.chmod(0o600)
    for pair in ((odd, files[1]), (files[0], odd)):
        with pytest.raises(BadFlag, match="PEM"):
            server_context(*pair)


def test_the_key_of_another_certificate_is_refused(files, tmp_path):
    _, key = certificate(tmp_path)
    with pytest.raises(BadFlag, match="is not the key of the certificate"):
        server_context(files[0], key)


def test_a_key_with_a_password_is_refused_and_never_asked_for(files, tmp_path):
    key = tmp_path / "secret.pem"
    command = ["openssl", "ec", "-aes256", "-passout", "pass:secret", "-in", str(files[1])]
    subprocess.run([*command, "-out", str(key)], check=True, capture_output=True)
    key.chmod(0o600)
    with pytest.raises(BadFlag, match="has a password"):
        server_context(files[0], key)


def test_a_key_that_others_may_write_is_refused_and_one_they_may_read_is_a_warning(
    tmp_path, caplog
):
    cert, key = certificate(tmp_path)
    key.chmod(0o620)
    with pytest.raises(BadFlag, match="chmod 600"):
        server_context(cert, key)
    key.chmod(0o644)
    assert server_context(cert, key) is not None
    warn_of_readers(key)
    assert "every user" in caplog.text
    caplog.clear()
    key.chmod(0o640)
    warn_of_readers(key)
    assert not caplog.text
