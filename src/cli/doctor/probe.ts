import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request as plain } from 'node:http';
import { request as overTls } from 'node:https';
import { text } from 'node:stream/consumers';
import { jsonOf } from '../json.ts';
import type { ThrowawayCertificate } from './throwaway-certificate.ts';

/** What a probe sends besides its URL. */
export interface Probe {
  readonly form?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly certificate?: ThrowawayCertificate;
}

/** What came back. */
export interface ProbeAnswer {
  readonly status: number;
  readonly text: string;
  /**
   * Milliseconds since the epoch, to the second, by the responder's clock; undefined: it is this
   * machine or sends no date.
   */
  readonly at: number | undefined;
  /** The JSON value; undefined: the text is not JSON. */
  readonly body: unknown;
}

/** Milliseconds for one probe. */
const timeout = 5000;

/**
 * Requests a URL and returns any response. The server's certificate is not verified: another check
 * does that, and a probe carries nothing worth stealing.
 */
export async function probe(url: URL, { form, headers, certificate }: Probe): Promise<ProbeAnswer> {
  const body = form && new URLSearchParams(form).toString();
  const asked = (url.protocol === 'https:' ? overTls : plain)(url, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      accept: 'application/json',
      ...(body !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }),
      ...headers,
    },
    agent: false,
    rejectUnauthorized: false,
    signal: AbortSignal.timeout(timeout),
    ...certificate,
  });
  asked.end(body);
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  const answer = await text(response);
  return {
    status: response.statusCode ?? 0,
    text: answer,
    at: timeOf(response),
    body: jsonOf(answer),
  };
}

function timeOf({ headers, socket }: IncomingMessage): number | undefined {
  const { date = '', age = '0' } = headers;
  const at = Date.parse(date) + Number(age) * 1000;
  const isElsewhere = socket.localAddress !== socket.remoteAddress;
  return isElsewhere && Number.isFinite(at) ? at : undefined;
}
