// Polls for news and swaps only the live parts, so that an open email and the scroll positions stay put.
const PERIOD_MS = 1500;
const button = document.getElementById("pause");
let version = document.body.dataset.version;
let paused = sessionStorage.getItem("paused") === "yes";

function show() {
  button.hidden = false;
  button.setAttribute("aria-pressed", String(paused));
  button.querySelector("span").textContent = paused ? "Paused" : "Live";
}

function swap(fresh) {
  for (const old of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(old.id);
    if (!next) continue;
    const known = new Set([...old.querySelectorAll("[data-id]")].map((row) => row.dataset.id));
    for (const row of next.querySelectorAll("[data-id]")) {
      row.classList.toggle("new", !known.has(row.dataset.id));
    }
    const sheets = [...old.querySelectorAll(".sheet")].map((sheet) => [sheet.scrollLeft, sheet.scrollTop]);
    const atEnd = old.scrollTop > 0 && old.scrollHeight - old.scrollTop - old.clientHeight < 40;
    const top = old.scrollTop;
    old.replaceChildren(...next.childNodes);
    old.scrollTop = atEnd ? old.scrollHeight : top;
    old.querySelectorAll(".sheet").forEach((sheet, index) => sheet.scrollTo(...(sheets[index] ?? [0, 0])));
  }
}

async function refresh() {
  // Somebody is filling in a form there.
  if (document.querySelector("[data-live] details[open]")) return;
  const now = await (await fetch("/_page/version")).text();
  if (now === version) return;
  const page = await (await fetch(location.href)).text();
  version = now;
  swap(new DOMParser().parseFromString(page, "text/html"));
}

async function tick() {
  if (!paused && !document.hidden) {
    try {
      await refresh();
      document.body.classList.remove("offline");
    } catch {
      document.body.classList.add("offline");
    }
  }
  setTimeout(tick, PERIOD_MS);
}

// A ticked box stays in view; without this script the page comes back at its row.
document.addEventListener("submit", async (event) => {
  const box = event.submitter;
  if (!box?.classList.contains("box")) return;
  event.preventDefault();
  await fetch(box.formAction, { method: "POST", body: new URLSearchParams(new FormData(event.target, box)) });
  await refresh();
});

button.addEventListener("click", () => {
  paused = !paused;
  sessionStorage.setItem("paused", paused ? "yes" : "no");
  show();
});

show();
const current = document.querySelector(".row[aria-current]");
if (current) current.scrollIntoView({ block: "nearest" });
setTimeout(tick, PERIOD_MS);
