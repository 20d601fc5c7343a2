// The way in: a token, or the ticket of a link.

import { useEffect, useState } from "preact/hooks";
import { post } from "../api/client";

export function Login({ ticket, entered }: { ticket: string | null; entered: () => void }) {
  const [token, type] = useState("");
  const [problem, tell] = useState<string | null>(null);
  const enter = (with_: { token: string } | { ticket: string }) =>
    post("/v1/login", with_).then(entered, (error: Error) => tell(error.message));
  useEffect(() => {
    if (ticket !== null) enter({ ticket });
  }, [ticket]);
  const submit = (event: Event) => {
    event.preventDefault();
    enter({ token: token.trim() });
  };
  return (
    <main class="login">
      <form onSubmit={submit}>
        <h1>Tandem</h1>
        <label class="field">
          Token
          <input
            type="password"
            autocomplete="current-password"
            value={token}
            onInput={(event) => type(event.currentTarget.value)}
          />
        </label>
        {problem && (
          <p class="note bad" role="alert">
            {problem}
          </p>
        )}
        <button type="submit" class="act strong" disabled={token.trim() === ""}>
          Log in
        </button>
        <p class="quiet">
          <code>tandem token create NAME</code> makes one; <code>tandem dashboard</code> prints a link that logs in
          once.
        </p>
      </form>
    </main>
  );
}
