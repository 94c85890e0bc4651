import { HolderError } from './holder-error.ts';
import type { OutgoingRequest } from './outgoing-request.ts';

/** Fields that describe a body and are removed with it. */
const bodyFields = ['content-encoding', 'content-language', 'content-location', 'content-type'];
/** Fields that are only for the first origin. */
const credentialFields = ['cookie', 'proxy-authorization'];

/**
 * The request after a redirect (RFC 9110 §15.4, Fetch §4.4); undefined if the response is none. It
 * never has token or proof, which are added to each request. Throws HolderError.
 */
export function redirected(
  request: OutgoingRequest,
  { status, headers }: Pick<Response, 'status' | 'headers'>,
): OutgoingRequest | undefined {
  const location = headers.get('location');
  if (![301, 302, 303, 307, 308].includes(status) || location === null) return undefined;
  if (request.redirect === 'error') throw refused('the API answered a redirect');
  if (!URL.canParse(location, request.url))
    throw refused('the Location of a redirect is not a URL');
  const url = new URL(location, request.url);
  if (url.hash === '') url.hash = request.url.hash;
  if (!/^https?:$/.test(url.protocol)) throw refused('the API answered a redirect to no HTTP');
  const fields = new Headers(request.headers);
  if (url.origin !== request.url.origin) for (const name of credentialFields) fields.delete(name);
  const { method } = request;
  const becomesGet =
    status === 303 ? method !== 'GET' && method !== 'HEAD' : status < 303 && method === 'POST';
  if (!becomesGet) {
    if (request.streamed) throw refused('a body that was streamed cannot follow a redirect');
    return { ...request, url, headers: fields };
  }
  for (const name of bodyFields) fields.delete(name);
  return { ...request, url, method: 'GET', headers: fields, body: null, streamed: false };
}

function refused(message: string): HolderError {
  return new HolderError('redirect_refused', message);
}
