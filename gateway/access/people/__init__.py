"""People whom another system identifies: by a JWT, or by the header of a trusted proxy.

``--identities FILE`` says which issuers of JWTs count, and what each person may do.
"""
