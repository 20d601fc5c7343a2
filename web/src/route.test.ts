import { expect, test } from "vitest";
import { address, PAGES, route, ticket } from "./route";

test("an address leads to the page that it was made for", () => {
  for (const page of PAGES) {
    for (const service of [null, "shop", "a/b c"]) {
      for (const deployment of [null, 7]) {
        const there = { page, service, deployment };
        expect(route(address(there))).toEqual(there);
      }
    }
  }
});

test("what is no address leads to the first page", () => {
  const nowhere = ["", "#", "#/", "#/shop/nothing", "#ticket=abc", "#/%zz/what"];
  expect(nowhere.map((hash) => route(hash).page)).toEqual(nowhere.map(() => "now"));
  expect(route("#/shop/deployment/x7").deployment).toBeNull();
});

test("a ticket is taken out of the link", () => {
  expect(ticket("#ticket=aB3-_.~")).toBe("aB3-_.~");
  expect([ticket("#/shop/now"), ticket("#ticket="), ticket("#ticket=a b")]).toEqual([null, null, null]);
});
