"""The user's own agents: turns that run in a process outside of weir, over HTTP.

How a line becomes an event:

1. `agents` knows every agent by its name, takes its lines and sends out its work items.
2. `agent` is one agent: its epoch, the number of its last line, and until when it counts as
   connected. A repeated line is skipped, and an older epoch is refused.
3. `served` is a turn of an agent. It waits in its session like any other turn, and ends by a line,
   an abort, a deadline or the end of the agent.
4. `lines` applies each line to its turn (`processor.native.turn`).
5. The effects of lines are saved together with the number of the last line, and published after
   that. So after a kill each open turn (`processor.store.open_turns`) has exactly the effects of
   the lines up to this number. The next processor continues the turn, and the agent sends the
   later lines again.
"""
