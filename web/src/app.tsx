// The frame of all pages: who is logged in, which service, which page, and whether what is shown is true now.

import { useEffect, useState } from "preact/hooks";
import { get, onLoggedOut, Problem, post } from "./api/client";
import type { Me } from "./api/message";
import { service as known } from "./live/services";
import { Database } from "./page/database";
import { DeploymentPage } from "./page/deployment";
import { History } from "./page/history";
import { Login } from "./page/login";
import { Now } from "./page/now";
import { Plan } from "./page/plan";
import { Settings } from "./page/settings";
import { address, PAGES, type Page, type Route, route, ticket } from "./route";
import { Announcements } from "./view/announcement";
import { Connected } from "./view/connected";
import { may } from "./view/deeds";
import { choose, type Theme, theme } from "./view/theme";

type Door =
  | { at: "knocking" }
  | { at: "outside" }
  | { at: "away"; why: string }
  | { at: "inside"; me: Me; services: string[] };

/** A Tandem that does not answer is asked again after so long. */
const AGAIN = 2000;

const TITLES: Record<Page, string> = {
  now: "Now",
  deployment: "Deployment",
  plan: "Plan",
  database: "Database",
  history: "History",
  settings: "Settings",
};

/** The roles that a page is for; what is not named here is for all. */
const FOR: Partial<Record<Page, Me["role"]>> = { plan: "deployer", settings: "admin" };

export function App() {
  const [door, stand] = useState<Door>({ at: "knocking" });
  const [given, take] = useState(() => ticket(location.hash));
  const knock = async () => {
    try {
      const [me, services] = await Promise.all([get<Me>("/v1/me"), get<{ name: string }[]>("/v1/services")]);
      if (services.length === 0) throw new Problem(0, "no service answers yet");
      stand({ at: "inside", me, services: services.map(({ name }) => name) });
    } catch (error) {
      if (error instanceof Problem && error.status === 401) return stand({ at: "outside" });
      stand({ at: "away", why: error instanceof Error ? error.message : "no answer" });
    }
  };
  useEffect(() => {
    onLoggedOut(() => stand({ at: "outside" }));
    // The ticket is for one use: it is taken out of the address.
    if (given !== null) history.replaceState(null, "", location.pathname);
    if (given === null) knock();
    else stand({ at: "outside" });
  }, []);
  useEffect(() => {
    if (door.at !== "away") return;
    const timer = setTimeout(knock, AGAIN);
    return () => clearTimeout(timer);
  }, [door]);
  const entered = () => {
    take(null);
    knock();
  };
  if (door.at === "outside") return <Login ticket={given} entered={entered} />;
  if (door.at === "inside")
    return <Inside me={door.me} services={door.services} left={() => stand({ at: "outside" })} />;
  return (
    <main class="login">
      <p role="status">{door.at === "away" ? `${door.why} – trying again …` : "one moment …"}</p>
    </main>
  );
}

function Inside({ me, services, left }: { me: Me; services: string[]; left: () => void }) {
  const here = useRoute();
  const name = services.find((one) => one === here.service) ?? (services[0] as string);
  useEffect(() => {
    document.title = `${TITLES[here.page]} · ${name} · Tandem`;
  }, [here.page, name]);
  return (
    <>
      <button type="button" class="skip" onClick={skip}>
        To the content
      </button>
      <header class="bar">
        <a class="mark" href={address({ page: "now", service: null, deployment: null })} aria-label="Tandem, now">
          <svg viewBox="0 0 24 16" aria-hidden="true">
            <circle cx="7" cy="8" r="5.5" />
            <circle cx="17" cy="8" r="5.5" />
          </svg>
          Tandem
        </a>
        {services.length > 1 && <Services services={services} here={here} name={name} />}
        <Pages here={here} name={name} me={me} />
        <Connected service={known(name)} />
        <Themes />
        <span class="me" title={`logged in as ${me.name}`}>
          {me.name} <span class="quiet">{me.role}</span>
        </span>
        <button type="button" class="plain" onClick={() => post("/v1/logout").finally(left)}>
          Log out
        </button>
      </header>
      <main id="content" tabIndex={-1}>
        <Shown here={here} name={name} services={services} me={me} />
      </main>
      <Announcements />
    </>
  );
}

function Shown({ here, name, services, me }: { here: Route; name: string; services: string[]; me: Me }) {
  const role = FOR[here.page];
  if (role && !may(me, role)) {
    return (
      <div class="page">
        <h1>{TITLES[here.page]}</h1>
        <p class="empty">
          This page is for the role {role}; {me.name} is {me.role}.
        </p>
      </div>
    );
  }
  switch (here.page) {
    case "now":
      return <Now services={services} name={name} me={me} />;
    case "deployment":
      return <DeploymentPage key={name} name={name} id={here.deployment} me={me} />;
    case "plan":
      return <Plan key={name} name={name} />;
    case "database":
      return <Database key={name} name={name} />;
    case "history":
      return <History key={name} name={name} />;
    case "settings":
      return <Settings key={name} name={name} />;
  }
}

function Pages({ here, name, me }: { here: Route; name: string; me: Me }) {
  return (
    <nav aria-label="pages">
      {PAGES.filter((page) => may(me, FOR[page] ?? "viewer")).map((page) => (
        <a
          key={page}
          href={address({ page, service: name, deployment: null })}
          aria-current={page === here.page ? "page" : undefined}
        >
          {TITLES[page]}
        </a>
      ))}
    </nav>
  );
}

function Services({ services, here, name }: { services: string[]; here: Route; name: string }) {
  const go = (service: string) => {
    location.hash = address({ page: here.page, service, deployment: null });
  };
  return (
    <label class="services">
      <span class="hidden">Service</span>
      <select value={name} onChange={(event) => go(event.currentTarget.value)}>
        {services.map((one) => (
          <option key={one}>{one}</option>
        ))}
      </select>
    </label>
  );
}

const THEMES: [Theme, string][] = [
  ["system", "◐"],
  ["light", "○"],
  ["dark", "●"],
];

function Themes() {
  const [chosen, set] = useState(theme());
  const at = THEMES.findIndex(([name]) => name === chosen);
  const [next] = THEMES[(at + 1) % THEMES.length] as [Theme, string];
  const change = () => {
    choose(next);
    set(next);
  };
  return (
    <button
      type="button"
      class="plain"
      onClick={change}
      aria-label={`theme: ${chosen}; change to ${next}`}
      title={`theme: ${chosen}`}
    >
      {THEMES[at]?.[1]}
    </button>
  );
}

function useRoute(): Route {
  const [here, go] = useState(() => route(location.hash));
  useEffect(() => {
    const moved = () => {
      go(route(location.hash));
      window.scrollTo(0, 0);
    };
    window.addEventListener("hashchange", moved);
    return () => window.removeEventListener("hashchange", moved);
  }, []);
  return here;
}

function skip(): void {
  document.getElementById("content")?.focus();
}
