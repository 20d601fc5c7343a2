// One question to the API, one answer. What is refused comes back as a `Problem` with words for people.

/** A refusal, or that nobody answered (`status` 0). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** Whoever must know that the login is over. */
let loggedOut: () => void = () => {};

export function onLoggedOut(tell: () => void): void {
  loggedOut = tell;
}

export function get<T>(path: string): Promise<T> {
  return call(path, { method: "GET" }) as Promise<T>;
}

/** Sends a value and reads the answer. */
export function post<T>(path: string, body: unknown = {}): Promise<T> {
  const headers = { "content-type": "application/json" };
  return call(path, { method: "POST", headers, body: JSON.stringify(body) }) as Promise<T>;
}

/** The text at a path, at most `most` characters of its end. */
export async function getText(path: string, most: number): Promise<string> {
  const text = await (await answer(path, { method: "GET" })).text();
  return text.slice(-most);
}

/** The paths of a service begin so. */
export function serviceAt(name: string): string {
  return `/v1/services/${encodeURIComponent(name)}`;
}

async function call(path: string, init: RequestInit): Promise<unknown> {
  const answered = await answer(path, init);
  const text = await answered.text();
  return text === "" ? null : JSON.parse(text);
}

/** An answer that is good, or the problem that it tells. */
export async function answer(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { ...init, cache: "no-store" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(0, "Tandem does not answer: is it running, and is the network up?");
  }
  if (response.ok) return response;
  if (response.status === 401 && path !== "/v1/login") loggedOut();
  throw new Problem(response.status, await words(response));
}

async function words(response: Response): Promise<string> {
  const plain = `answered with ${response.status}`;
  try {
    const { detail, title } = await response.json();
    return detail || title || plain;
  } catch {
    return plain;
  }
}
