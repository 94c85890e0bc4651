import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { freshnessLifetimeMs } from './freshness.ts';
import { RemoteJwksUnavailable } from './unavailable.ts';

const jsonMediaTypes = ['application/json', 'application/jwk-set+json'];

/** A header's value: undefined when absent, repeated fields joined as a list (RFC 9110 §5.3). */
function header(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'object' ? value.join(', ') : value;
}

/** The freshness lifetime of a response in milliseconds, or undefined if it gives none. */
export function freshnessOf(headers: IncomingHttpHeaders): number | undefined {
  return freshnessLifetimeMs(header(headers, 'cache-control'), header(headers, 'age'));
}

/**
 * The body of a plain 200 with JSON, at most `maxBytes` bytes. Content codings are refused, so the
 * bytes counted are the bytes parsed. Throws `RemoteJwksUnavailable`.
 */
export async function readBody(
  { statusCode, headers, body }: Dispatcher.ResponseData,
  maxBytes: number,
): Promise<Uint8Array> {
  if (statusCode !== 200) throw new RemoteJwksUnavailable('status_not_200');
  const mediaType = header(headers, 'content-type')?.split(';', 1)[0]?.trim().toLowerCase();
  if (!jsonMediaTypes.includes(mediaType ?? ''))
    throw new RemoteJwksUnavailable('content_type_not_json');
  const coding = header(headers, 'content-encoding')?.trim().toLowerCase() ?? 'identity';
  if (coding !== 'identity') throw new RemoteJwksUnavailable('content_encoding_not_identity');
  if (Number(header(headers, 'content-length') ?? 0) > maxBytes)
    throw new RemoteJwksUnavailable('body_too_large');

  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new RemoteJwksUnavailable('body_too_large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
