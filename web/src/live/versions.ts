// Which look each version has: versions that are seen together never share one. Pure but for its own state.

/** So many looks there are: each is a colour together with a pattern (`style/version.css`, `figure/paint.ts`). */
export const LOOKS = 5;
/** So many versions are remembered. */
const REMEMBERED = 50;

export class Looks {
  private given = new Map<string, number>();
  private next = 0;

  /** The look of a version; the first one that is asked for gets the first. */
  of(version: string): number {
    const known = this.given.get(version);
    if (known !== undefined) return known;
    const look = this.next;
    this.next = (this.next + 1) % LOOKS;
    this.given.set(version, look);
    const [oldest] = this.given.keys();
    if (this.given.size > REMEMBERED && oldest !== undefined) this.given.delete(oldest);
    return look;
  }
}
