// Keeps the app for flight mode. Every file is kept under its path and the hash of its content, so that a new version
// fetches only what has changed, and an old one in an open window goes on with its own files until all are closed.

const VERSION = "{{version}}";
const FILES = "{{files}}";
const SCOPE = new URL("./", self.location).pathname;
const CACHE = `face-masks ${SCOPE}`;
const key = (path) => `${path}?${FILES[path]}`;
const heavy = (path) => path.startsWith("runtime/");

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("message", ({ data }) => { if (data === "take over") self.skipWaiting(); });
self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  const path = url.pathname.slice(SCOPE.length) || "index.html";
  if (event.request.method === "GET" && url.origin === self.location.origin && url.pathname.startsWith(SCOPE)
    && path in FILES) event.respondWith(answer(path, event.request));
});

async function install() {
  const cache = await caches.open(CACHE);
  const kept = (await cache.keys()).map((request) => new URL(request.url));
  const used = new Set(kept.map((url) => url.pathname.slice(SCOPE.length))); // of the runtime's kinds, this browser's
  for (const path of Object.keys(FILES)) {
    if (heavy(path) && !used.has(path)) continue;
    if (await cache.match(key(path))) continue;
    const answer = await fetch(path, { cache: "no-cache" });
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    await cache.put(key(path), answer.redirected ? new Response(answer.body, answer) : answer);
  }
}

async function activate() {
  const cache = await caches.open(CACHE);
  const mine = new Set(Object.keys(FILES).map((path) => new URL(key(path), self.location).href));
  for (const request of await cache.keys()) if (!mine.has(request.url)) await cache.delete(request);
  await self.clients.claim();
}

async function answer(path, request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(key(path));
  if (kept) return kept;
  const fetched = await fetch(request);
  if (fetched.ok) cache.put(key(path), fetched.clone()).catch(() => {});
  return fetched;
}
