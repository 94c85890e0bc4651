import { freshnessLifetimeMs } from '../../../src/protocol/client-keys/remote-jwks/freshness.ts';
import { RemoteJwksUnavailable } from '../../../src/protocol/client-keys/remote-jwks/unavailable.ts';

/** A fetched JSON document. */
export interface FetchedJson {
  readonly body: Uint8Array | undefined;
  /** Freshness lifetime of the response in milliseconds. */
  readonly lifetimeMs: number | undefined;
}

/** Milliseconds for a whole fetch, and the maximum bytes of a document. */
const [deadlineMs, maxBytes] = [5_000, 262_144];

/** Fetches JSON, by GET unless `request` says otherwise. Throws RemoteJwksUnavailable. */
export async function fetchJson(
  fetch: typeof globalThis.fetch,
  uri: string,
  request: Pick<RequestInit, 'method' | 'headers' | 'body'> = {
    headers: { accept: 'application/jwk-set+json, application/json' },
  },
): Promise<FetchedJson> {
  try {
    const response = await fetch(uri, {
      ...request,
      redirect: 'error',
      signal: AbortSignal.timeout(deadlineMs),
    });
    const lifetimeMs = freshnessLifetimeMs(
      response.headers.get('cache-control') ?? undefined,
      response.headers.get('age') ?? undefined,
    );
    if (response.status === 200) return { body: await readBody(response), lifetimeMs };
    await response.body?.cancel();
    if (response.status === 404) return { body: undefined, lifetimeMs };
    throw new RemoteJwksUnavailable('status_not_200');
  } catch (error) {
    if (error instanceof RemoteJwksUnavailable) throw error;
    throw new RemoteJwksUnavailable(
      error instanceof Error && error.name === 'TimeoutError'
        ? 'deadline_exceeded'
        : 'connection_failed',
    );
  }
}

async function readBody(response: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new RemoteJwksUnavailable('body_too_large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
