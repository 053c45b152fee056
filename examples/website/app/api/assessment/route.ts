import { BadAssessment, sendSignup, SignupFailed, type Assessment } from "@/lib/dripstream";

export const runtime = "nodejs"; // node:crypto; not the edge runtime
export const maxDuration = 30; // seconds: longer than sendSignup's budget

export async function POST(request: Request): Promise<Response> {
  const url = process.env.DRIPSTREAM_SIGNUP_URL;
  const secret = process.env.SIGNUP_WEBHOOK_SECRET;
  if (!url || !secret) return Response.json({ error: "signups are not set up" }, { status: 500 });
  try {
    await sendSignup((await request.json()) as Assessment, { url, secret });
    return Response.json({ status: "accepted" }, { status: 202 });
  } catch (error) {
    if (error instanceof SignupFailed) {
      console.error(error.message); // the status and no personal data
      const isTheirs = error.status === 400;
      return Response.json({ error: isTheirs ? "please check the form" : "please try again" }, {
        status: isTheirs ? 400 : 503,
      });
    }
    if (error instanceof SyntaxError || error instanceof BadAssessment) {
      return Response.json({ error: "please check the form" }, { status: 400 });
    }
    throw error;
  }
}
