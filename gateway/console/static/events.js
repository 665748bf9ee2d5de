// What an event concerns. opencodes of different ages say so in different places.

/** Return the id of the session that an event concerns; empty for none. */
export function sessionOf({ type, properties: p }) {
  const own = type.startsWith("session.") ? p?.info?.id : "";
  return p?.sessionID ?? p?.info?.sessionID ?? p?.part?.sessionID ?? own ?? "";
}
