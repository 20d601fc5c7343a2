// Which page is shown: it stands behind the `#` of the address, so that links and the back button work. Pure.

export const PAGES = ["now", "deployment", "plan", "database", "history", "settings"] as const;
export type Page = (typeof PAGES)[number];

export interface Route {
  page: Page;
  /** None: the first one that there is. */
  service: string | null;
  /** Of the page `deployment`. None: the one under way, or the last. */
  deployment: number | null;
}

/** Reads `#/shop/deployment/7`; whatever it is not leads to the first page. */
export function route(hash: string): Route {
  const [, service, page, id] = hash.split("/").map(decode);
  const known = PAGES.find((one) => one === page);
  if (!known) return { page: "now", service: service || null, deployment: null };
  return { page: known, service: service || null, deployment: /^\d+$/.test(id ?? "") ? Number(id) : null };
}

/** The address of a page. */
export function address({ page, service, deployment }: Route): string {
  const parts = [service ?? "", page, ...(deployment === null ? [] : [String(deployment)])];
  return `#/${parts.map(encodeURIComponent).join("/")}`;
}

/** The ticket of a link that logs in: `#ticket=…`. */
export function ticket(hash: string): string | null {
  return /^#ticket=([\w.~-]+)$/.exec(hash)?.[1] ?? null;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return "";
  }
}
