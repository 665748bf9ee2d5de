"""The user's own agents: turns that a process outside of weir runs, over HTTP.

How a line becomes an event:

1. `agents` knows every agent by its name, takes its lines and hands out its work.
2. `agent` is one of them: its epoch, the number of its last line, how long it counts as connected.
   A line that comes again is skipped, and an older epoch is refused.
3. `served` is a turn of an agent: a turn of the lane as any other, ended by a line, an abort, a
   deadline or the end of the agent.
4. `lines` carries each line out on its turn (`processor.native.turn`).
5. What lines bring is saved with the number of the last line, and published then. So a processor
   that was killed leaves each open turn (`processor.store.open_turns`) exactly as far as that
   number says; the next processor goes on with the turn, and the agent sends what came after.
"""
