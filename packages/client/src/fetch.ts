import { HolderError } from './holder-error.ts';
import { type OutgoingRequest, outgoingRequest } from './outgoing-request.ts';
import { type Presenting, present } from './present.ts';
import { redirected } from './redirect.ts';
import { type Lesson, lessonOf } from './refused-request.ts';
import { inBrowser } from './runtime.ts';
import type { Tokens } from './tokens.ts';
import type { Send } from './transport.ts';

/** What a holder's `fetch` needs. */
export interface FetchContext extends Presenting {
  readonly tokens: Tokens;
  readonly origins: ReadonlySet<string>;
  readonly send: Send;
  readonly clock: () => number;
  readonly allowInsecureRequests: boolean | undefined;
  /** True: `send` presents a certificate that the tokens are bound to. */
  readonly byCertificate: boolean;
}

/** Maximum redirects to follow, as in every `fetch`. */
const maxRedirects = 20;

/** `fetch` with token and proof. Throws HolderError, and what the underlying `fetch` throws. */
export function fetchWithToken(context: FetchContext): typeof fetch {
  return async (input, init) => {
    let request = outgoingRequest(input, init, context.allowInsecureRequests);
    refuseOtherOrigins(request.url, context.origins);
    for (let followed = 0; followed <= maxRedirects; followed++) {
      const response = await responseTo(context, request);
      if (request.redirect === 'manual' || inBrowser()) return response;
      const next = redirected(request, response);
      if (next === undefined) return response;
      await response.body?.cancel();
      if (next.url.origin !== request.url.origin) return elsewhere(context, next);
      request = next;
    }
    throw new HolderError('redirect_refused', `the API answered ${maxRedirects + 1} redirects`);
  };
}

/** Sends the request, and repeats it if the response says how and the body allows it. */
async function responseTo(context: FetchContext, request: OutgoingRequest): Promise<Response> {
  const left: Record<Lesson, number> = { nonce: 2, clock: 1, token: 1 };
  const send: Send = (url, { headers }) => context.send(url, initOf(request, headers));
  for (;;) {
    const token = await context.tokens.get(request.signal);
    const sentAt = context.clock();
    const { response, challenges } = await present(context, token, request, send);
    const lesson = lessonOf(context, { url: request.url, sentAt, token, response, challenges });
    if (lesson === undefined || request.streamed || left[lesson]-- <= 0) return response;
    await response.body?.cancel();
  }
}

function initOf(
  { rest, method, body, streamed, redirect, signal }: OutgoingRequest,
  headers: RequestInit['headers'],
): RequestInit {
  return {
    ...rest,
    method,
    ...(headers !== undefined && { headers }),
    ...(body !== null && body !== undefined && { body }),
    ...(streamed && { duplex: 'half' }),
    // A browser does not show the target of a redirect, and would send the fields there.
    redirect: redirect === 'manual' || !inBrowser() ? 'manual' : 'error',
    ...(signal !== undefined && { signal }),
  };
}

/** Sends another origin what a `fetch` without a token would send. */
async function elsewhere(context: FetchContext, request: OutgoingRequest): Promise<Response> {
  if (context.byCertificate)
    throw new HolderError('redirect_refused', 'the certificate is not for another origin');
  const init = initOf(request, request.headers);
  return context.send(request.url.href, { ...init, redirect: 'follow' });
}

/** Throws HolderError unless the token is for this origin. */
export function refuseOtherOrigins({ origin }: URL, origins: ReadonlySet<string>): void {
  if (origins.has(origin)) return;
  throw new HolderError(
    'origin_not_allowed',
    `the token is not for ${origin}: name the origins of the API in resource or origins`,
  );
}
