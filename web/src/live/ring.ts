// The last so many of something: memory stays bounded however long a page is open.

export class Ring<T> {
  private items: T[] = [];

  constructor(private readonly most: number) {}

  push(item: T): void {
    this.items.push(item);
    // Cut now and then and not each time: the cost is spread.
    if (this.items.length >= this.most * 1.25) this.items = this.items.slice(-this.most);
  }

  /** The oldest first. */
  all(): readonly T[] {
    return this.items.length > this.most ? this.items.slice(-this.most) : this.items;
  }

  last(): T | undefined {
    return this.items[this.items.length - 1];
  }

  clear(): void {
    this.items = [];
  }
}
