"""Who may do what: every request passes here before Falcon and the proxy see it.

The steps of `Access.admit`, in this order; the first that refuses answers the request:

1. **Rule** (`rules`): what the route does (read, write, admin), and where its folder or session
   stands. A route without a rule is for principals without a scope.
2. **Browsers** (`browsers`): a web page of another origin may not write.
3. **Principal** (`identity`): the login or the token of the request. Without any identity weir
   serves this machine, and a request has to name this machine in ``Host``.
4. **Scope** (`boundary`): the grants of the principal against what the route does, and where.
5. **Limits** and the audit (`limits`, `audit`).

What a refusal says never repeats what the client sent as a secret. Only `whereabouts` and `audit`
do I/O; nothing deeper than this package reads a credential.
"""
