// Light or dark: as the system has it, until somebody chooses.

export type Theme = "system" | "light" | "dark";

const KEY = "tandem-theme";

export function theme(): Theme {
  const kept = read();
  return kept === "light" || kept === "dark" ? kept : "system";
}

/** Keeps the choice and puts it in force; drawings hear of it by the event `themed`. */
export function choose(theme: Theme): void {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // A browser that keeps nothing asks again next time.
  }
  apply();
}

export function apply(): void {
  const chosen = theme();
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  window.dispatchEvent(new Event("themed"));
}

/** Follows the system as long as nobody chose. */
export function followSystem(): void {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
  apply();
}

function read(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}
