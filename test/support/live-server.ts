import { freePort } from './ports.ts';
import { type TestServer, testServer } from './server.ts';

/**
 * A server whose issuer identifier is where it really is, with the real clock, moved by `ahead`.
 */
export interface LiveServer extends TestServer {
  /** Milliseconds by which its clock is ahead; not in its `Date` field, which Node.js writes. */
  readonly time: { ahead: number };
}

/** Starts one, for clients with clocks and addresses of their own. */
export async function liveServer(env: Readonly<Record<string, string>> = {}): Promise<LiveServer> {
  const port = await freePort();
  const time = { ahead: 0 };
  const server = await testServer({
    env: { ISSUER: `http://127.0.0.1:${port}`, PORT: String(port), ...env },
    clock: {
      get now() {
        return Date.now() + time.ahead;
      },
    },
  });
  return { ...server, time };
}

/** A request as it left the client. */
export interface SentRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: RequestInit['body'];
}

/** A `fetch` that notes what it sends. */
export function notingFetch(): { readonly fetch: typeof fetch; readonly sent: SentRequest[] } {
  const sent: SentRequest[] = [];
  return {
    sent,
    async fetch(input, init = {}) {
      const { method = 'GET', headers, body } = init;
      const url = input instanceof Request ? input.url : input.toString();
      sent.push({ url, method, headers: new Headers(headers), body });
      return fetch(input, init);
    },
  };
}
