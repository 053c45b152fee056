/** Tells Dripstream about a finished assessment. Server side only: it signs with a secret that no browser may see. */
import { createHmac, randomUUID } from "node:crypto";

const COLOURS = ["red", "orange", "yellow", "green"] as const;
export type Colour = (typeof COLOURS)[number];

export interface System {
  name: string;
  colour: Colour;
  /** 0 to 100. */
  score: number;
}

export interface Assessment {
  email: string;
  firstName: string;
  businessName?: string;
  /** What they lose in a year, in the campaign's currency. */
  revenueLeak?: number;
  systems: System[];
}

export interface Options {
  /** `https://hooks.example.com/webhook/signup/christmas-2025` */
  url: string;
  /** SIGNUP_WEBHOOK_SECRET, as Dripstream has it: `whsec_` and base64. */
  secret: string;
  /** How often in all, the first try included. */
  tries?: number;
  /** For one try, in milliseconds. */
  timeoutMs?: number;
  /** For all tries and the waits between them, in milliseconds. A serverless function must be allowed to run longer. */
  budgetMs?: number;
  /** The first wait, in milliseconds; each later one may be twice as long. */
  firstWaitMs?: number;
}

export interface Accepted {
  eventId: string;
  /** Dripstream knew this signup already. */
  duplicate: boolean;
}

/** What was filled in cannot be counted; nothing was posted. The message may be shown. */
export class BadAssessment extends Error {
  override readonly name = "BadAssessment";
}

/** Dripstream did not take the signup. `status` is 0 where it gave no answer at all. */
export class SignupFailed extends Error {
  readonly status: number;
  readonly tries: number;

  constructor(status: number, tries: number, detail: string) {
    super(`signup not taken after ${tries} ${tries === 1 ? "try" : "tries"}: ${detail}`);
    this.name = "SignupFailed";
    this.status = status;
    this.tries = tries;
  }
}

const LONGEST_WAIT_MS = 8_000;

/** The body Dripstream takes: systems counted by colour, their scores averaged, the two weakest named. Pure. */
export function signupBody(assessment: Assessment): Record<string, string | number> {
  const systems = checked(assessment?.systems);
  const count = (colour: Colour) => systems.filter((system) => system.colour === colour).length;
  const average = systems.reduce((sum, { score }) => sum + score, 0) / systems.length;
  const [weakest, next] = [...systems].sort((one, other) => one.score - other.score);
  return given({
    email: assessment.email,
    first_name: assessment.firstName,
    business_name: assessment.businessName,
    assessment_score: Math.round(average),
    red_systems: count("red"),
    orange_systems: count("orange"),
    yellow_systems: count("yellow"),
    green_systems: count("green"),
    weakest_system_1: weakest?.name,
    weakest_system_2: next?.name,
    revenue_leak_total: assessment.revenueLeak,
  });
}

/** It comes from a browser, so its type is no more than a promise. */
function checked(systems: unknown): System[] {
  if (!Array.isArray(systems) || systems.length === 0) throw new BadAssessment("there is no system to count");
  for (const { name, colour, score } of systems.map((each: unknown) => ({ ...(each as Partial<System>) }))) {
    if (typeof name !== "string") throw new BadAssessment("a system has no name");
    if (!COLOURS.some((known) => known === colour)) throw new BadAssessment(`the colour of ${name} is none of ours`);
    const isScore = typeof score === "number" && score >= 0 && score <= 100;
    if (!isScore) throw new BadAssessment(`the score of ${name} is not between 0 and 100`);
  }
  return systems as System[];
}

/** The three headers of Standard Webhooks, for exactly these bytes. Pure. */
export function signed(body: string, id: string, at: Date, secret: string): Record<string, string> {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  if (key.length === 0) throw new TypeError("the secret must be base64, with or without whsec_");
  const seconds = Math.floor(at.getTime() / 1000).toString();
  const signature = createHmac("sha256", key).update(`${id}.${seconds}.${body}`).digest("base64");
  return { "webhook-id": id, "webhook-timestamp": seconds, "webhook-signature": `v1,${signature}` };
}

/**
 * Posts the signup until Dripstream has stored it: the same body and webhook id on each try, so it counts once. The
 * time is signed anew, since a signature is good for five minutes.
 *
 * Throws BadAssessment before anything is posted. Throws SignupFailed: at once where trying again cannot help (4xx but
 * 408, 425 and 429), else when tries or time are up.
 */
export async function sendSignup(assessment: Assessment, options: Options): Promise<Accepted> {
  if ("window" in globalThis) throw new Error("sendSignup must not run in a browser: it would need the secret there");
  const { secret, tries = 5, timeoutMs = 5_000, budgetMs = 25_000, firstWaitMs = 500 } = options;
  const url = new URL(options.url);
  const body = JSON.stringify(signupBody(assessment));
  const id = `msg_${randomUUID()}`;
  const end = Date.now() + budgetMs;
  for (let tried = 1; ; tried++) {
    const left = Math.max(1, end - Date.now());
    const answer = await post(url, body, signed(body, id, new Date(), secret), Math.min(timeoutMs, left));
    if (answer.accepted) return answer.accepted;
    const wait = Math.max(backoff(tried, firstWaitMs), answer.retryAfterMs);
    if (!answer.mayPass || tried >= tries || Date.now() + wait >= end) {
      throw new SignupFailed(answer.status, tried, answer.detail);
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

interface Answer {
  status: number;
  detail: string;
  /** Whether the same again may be taken later. */
  mayPass: boolean;
  retryAfterMs: number;
  accepted?: Accepted;
}

async function post(url: URL, body: string, headers: Record<string, string>, timeoutMs: number): Promise<Answer> {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
      cache: "no-store",
      redirect: "error", // a redirected POST may arrive as a GET, or somewhere else
      signal: AbortSignal.timeout(timeoutMs),
    });
    return await read(response);
  } catch (error) {
    const why = error instanceof Error ? error.name : "unknown error";
    return { status: 0, detail: `no answer (${why})`, mayPass: true, retryAfterMs: 0 };
  }
}

async function read(response: Response): Promise<Answer> {
  const { status } = response;
  const text = await response.text();
  const said = status === 202 ? accepted(text) : undefined;
  const mayPass = status >= 500 || [408, 425, 429].includes(status) || status === 202;
  const retryAfterMs = retryAfter(response.headers.get("retry-after"), Date.now());
  return { status, detail: `HTTP ${status}`, mayPass, retryAfterMs, ...(said && { accepted: said }) };
}

/** Something in between may answer 202 in Dripstream's place; only its own words count. */
function accepted(text: string): Accepted | undefined {
  try {
    const said = JSON.parse(text) as { status?: unknown; event_id?: unknown; duplicate?: unknown };
    if (said.status !== "accepted" || typeof said.event_id !== "string") return undefined;
    return { eventId: said.event_id, duplicate: said.duplicate === true };
  } catch {
    return undefined;
  }
}

/** Seconds or a date, as HTTP allows both; in milliseconds from now, 0 where there is neither. Pure. */
export function retryAfter(header: string | null, now: number): number {
  if (!header) return 0;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}

/** Doubles with each try and is drawn anew, so that many visitors do not come back together. */
function backoff(tried: number, firstWaitMs: number): number {
  const most = Math.min(LONGEST_WAIT_MS, firstWaitMs * 2 ** (tried - 1));
  return most / 2 + (Math.random() * most) / 2;
}

function given(fields: Record<string, string | number | undefined>): Record<string, string | number> {
  const entries = Object.entries(fields).filter((entry): entry is [string, string | number] => entry[1] !== undefined);
  return Object.fromEntries(entries);
}
