import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';

/** An answer as it came over the wire. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** A request with exactly these header fields, repeated ones and all: `fetch` would join them. */
export async function rawRequest(
  url: string,
  method: string,
  fields: readonly (readonly [string, string])[],
  body = '',
): Promise<RawAnswer> {
  const { hostname, port, pathname, search } = new URL(url);
  const outgoing = request({ hostname, port, path: pathname + search, method, agent: false });
  const names = new Map<string, string[]>();
  for (const [name, value] of fields) names.set(name, [...(names.get(name) ?? []), value]);
  for (const [name, values] of names)
    outgoing.setHeader(name, values.length === 1 ? (values[0] ?? '') : values);
  outgoing.end(body);
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: await text(response),
  };
}
