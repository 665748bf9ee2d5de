// A list that forgets its oldest entries, by count and by size.
export class Ring {
  /** How many entries were forgotten. */
  forgotten = 0;
  size = 0;

  constructor(mostEntries, mostSize = Infinity, sizeOf = () => 1) {
    this.mostEntries = mostEntries;
    this.mostSize = mostSize;
    this.sizeOf = sizeOf;
    this.entries = [];
  }

  get length() {
    return this.entries.length;
  }

  push(entry) {
    this.entries.push(entry);
    this.size += this.sizeOf(entry);
    let over = 0;
    while (this.#isOver(over)) {
      this.size -= this.sizeOf(this.entries[over]);
      over += 1;
    }
    // Many at once: to shift each by itself would move the whole list each time.
    if (over) this.entries.splice(0, over);
    this.forgotten += over;
  }

  clear() {
    this.entries = [];
    this.size = this.forgotten = 0;
  }

  #isOver(gone) {
    const left = this.entries.length - gone;
    return left > 1 && (left > this.mostEntries || this.size > this.mostSize);
  }
}
