import { HolderError } from './holder-error.ts';
import { refusePlainHttp } from './options.ts';

/** A request of the caller, split up so that it can be sent more than once. */
export interface OutgoingRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: Headers;
  readonly body: RequestInit['body'];
  /** True: the body can be read only once, so the request is never repeated. */
  readonly streamed: boolean;
  readonly redirect: RequestRedirect;
  readonly signal: AbortSignal | null | undefined;
  /** All other options of `fetch`. */
  readonly rest: RequestInit;
}

/** Fields that only the holder may set. */
const ownFields = ['authorization', 'dpop', 'pop'];

/** Reads the arguments of `fetch`. Throws HolderError. */
export function outgoingRequest(
  input: RequestInfo | URL,
  init: RequestInit | undefined,
  allowInsecureRequests: boolean | undefined,
): OutgoingRequest {
  const request = isRequest(input) ? input : undefined;
  const target = isRequest(input) ? input.url : input.toString();
  const merged: RequestInit = { ...(request && membersOf(request)), ...init };
  const { method = 'GET', headers, body = null, redirect = 'follow', signal, ...rest } = merged;
  const fields = new Headers(headers);
  for (const name of ownFields)
    if (fields.has(name))
      throw new HolderError('invalid_request', `the field ${name} is set by the holder`);
  const url = urlOf(target);
  refusePlainHttp(url, allowInsecureRequests);
  return {
    url,
    method: method.toUpperCase(),
    headers: fields,
    body,
    streamed: !repeatable(body),
    redirect,
    signal,
    rest,
  };
}

function isRequest(input: RequestInfo | URL): input is Request {
  return typeof input === 'object' && 'headers' in input;
}

function membersOf(request: Request): RequestInit {
  const { method, headers, body, redirect, signal, cache, credentials, integrity } = request;
  const { keepalive, referrer, referrerPolicy } = request;
  return {
    method,
    headers,
    body,
    redirect,
    signal,
    cache,
    credentials,
    integrity,
    keepalive,
    ...(referrer !== 'about:client' && { referrer }),
    referrerPolicy,
  };
}

function urlOf(text: string): URL {
  const base = (globalThis as { location?: { href?: string } }).location?.href;
  if (URL.canParse(text, base)) {
    const url = new URL(text, base);
    if (url.username === '' && url.password === '') return url;
  }
  throw new HolderError('invalid_request', 'the URL is not one that can be asked');
}

/** Whether a body is complete, so that `fetch` can send it again. */
function repeatable(body: RequestInit['body']): boolean {
  return (
    body === null ||
    body === undefined ||
    typeof body === 'string' ||
    body instanceof URLSearchParams ||
    body instanceof Blob ||
    body instanceof FormData ||
    body instanceof ArrayBuffer ||
    ArrayBuffer.isView(body)
  );
}
