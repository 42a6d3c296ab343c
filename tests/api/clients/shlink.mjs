// Calls every method of Shlink's own client that the server supports, and prints the results as JSON.
import { ShlinkApiClient } from "@shlinkio/shlink-js-sdk";
import { NodeHttpClient } from "@shlinkio/shlink-js-sdk/node";

const [baseUrl, apiKey] = process.argv.slice(2);
const client = new ShlinkApiClient(new NodeHttpClient(), { baseUrl, apiKey });
const results = {};

async function call(name, run) {
  try {
    results[name] = { value: (await run()) ?? null };
  } catch (error) {
    results[name] = { error: error instanceof Error ? String(error) : error };
  }
}

const autumn = { shortCode: "autumn" };
await call("health", () => client.health());
await call("createShortUrl", () =>
  client.createShortUrl({ longUrl: "https://example.com/autumn", customSlug: "autumn", tags: ["x"], title: "Autumn" }),
);
await call("takenSlug", () => client.createShortUrl({ longUrl: "https://example.com/other", customSlug: "autumn" }));
await call("listShortUrls", () =>
  client.listShortUrls({ itemsPerPage: 5, searchTerm: "autumn", orderBy: { field: "dateCreated", dir: "DESC" } }),
);
await call("getShortUrl", () => client.getShortUrl(autumn));
await call("updateShortUrl", () => client.updateShortUrl(autumn, { longUrl: "https://example.com/new", title: null }));
await call("getShortUrlRedirectRules", () => client.getShortUrlRedirectRules(autumn));
await call("getShortUrlVisits", () => client.getShortUrlVisits(autumn, { itemsPerPage: 10 }));
await call("getTagVisits", () => client.getTagVisits("may", { excludeBots: true }));
await call("getDomainVisits", () => client.getDomainVisits("DEFAULT"));
await call("getOrphanVisits", () => client.getOrphanVisits());
await call("getNonOrphanVisits", () => client.getNonOrphanVisits());
await call("getVisitsOverview", () => client.getVisitsOverview());
await call("listTags", () => client.listTags());
await call("tagsStats", () => client.tagsStats());
await call("listDomains", () => client.listDomains());
await call("mercureInfo", () => client.mercureInfo());
await call("deleteShortUrl", () => client.deleteShortUrl(autumn));
await call("deleted", () => client.getShortUrl(autumn));
console.log(JSON.stringify(results));
