"""Who may do what: every request passes here before it reaches Falcon or the proxy.

The steps of `Access.admit`, in this order; the first step that refuses answers the request:

1. **Rule** (`rules`): what the route does (read, write, admin), and where a request names its
   folder or session. A route without a rule is refused to principals with a scope, which may only
   act in certain folders and sessions.
2. **Browsers** (`browsers`): a web page of another origin may not write.
3. **Principal** (`identity`): the owner of the request's login or token. If neither a login nor
   tokens are set up, weir serves this machine only, and a request must name this machine in
   ``Host``.
4. **Scope** (`boundary`): compares the grants of the principal with what the route does, and
   where.
5. **Limits** (`limits`): the principal may not use too much of a worker. Then the request is
   written to the audit log (`audit`).

A refusal never repeats a secret that the client sent. Only `whereabouts` and `audit` do I/O; no
code behind this package reads a credential.
"""
