"""People that another system identifies: by a JWT, or by the header of a trusted proxy.

The file of ``--identities`` names the issuers of JWTs that weir trusts, and each person's grants.
"""
