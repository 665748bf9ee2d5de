// Server-sent events, cut out of the body of an answer. No I/O: text in, frames out.
const MOST_CHARACTERS = 32 * 1024 * 1024;

/** Cuts text into frames: `{id, data, retry}`, with the data as it was sent. */
export class Frames {
  /** How many events were longer than a page can hold, and were left out. */
  skipped = 0;
  #pieces = [];
  #size = 0;

  /** Return the frames that `text` completes. Each character is looked at once. */
  push(text) {
    const found = [];
    let begin = 0;
    if (this.#pieces.at(-1)?.endsWith("\n") && text.startsWith("\n")) {
      begin = 1;
      this.#end(found);
    }
    for (;;) {
      const end = text.indexOf("\n\n", begin);
      if (end < 0) break;
      this.#add(text.slice(begin, end));
      this.#end(found);
      begin = end + 2;
    }
    this.#add(text.slice(begin));
    return found;
  }

  #add(piece) {
    if (!piece) return;
    this.#size += piece.length;
    if (this.#size > MOST_CHARACTERS) this.#pieces = [piece.slice(-1)];
    else this.#pieces.push(piece);
  }

  #end(found) {
    if (this.#size > MOST_CHARACTERS) this.skipped += 1;
    else if (this.#size) {
      const frame = frameOf(this.#pieces.join(""));
      if (frame.data || frame.retry) found.push(frame);
    }
    this.#pieces = [];
    this.#size = 0;
  }
}

function frameOf(block) {
  const frame = { id: "", data: "", retry: 0 };
  for (const line of block.split("\n")) {
    if (line.startsWith("data: ")) frame.data += (frame.data && "\n") + line.slice(6);
    else if (line.startsWith("id: ")) frame.id = line.slice(4);
    else if (line.startsWith("retry: ")) frame.retry = Number(line.slice(7)) || 0;
  }
  return frame;
}
