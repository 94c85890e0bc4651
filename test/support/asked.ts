import { Agent, type IncomingMessage, request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';

/** An answer with its whole body. */
export interface Asked {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

const agent = new Agent({ keepAlive: true });

/** What `fetch` adds, or a server would see other requests than from it. */
const common = {
  accept: '*/*',
  'accept-language': '*',
  'sec-fetch-mode': 'cors',
  'user-agent': 'node',
  'accept-encoding': 'gzip, deflate',
};

/** Does what `fetch` does without redirections, at a third of its time. */
export async function asked(
  url: string,
  method: string,
  headers: Readonly<Record<string, string>>,
  body?: string | Uint8Array,
): Promise<Asked> {
  const outgoing = request(url, { method, agent, headers: { ...common, ...headers } });
  const answer = new Promise<IncomingMessage>((resolve, reject) =>
    outgoing.once('response', resolve).once('error', reject),
  );
  // Without it, a DELETE would have a body without a length.
  if (body !== undefined) outgoing.setHeader('content-length', Buffer.byteLength(body));
  outgoing.end(body);
  let response: IncomingMessage;
  try {
    response = await answer;
  } catch (error) {
    // The connection belonged to a server that has stopped.
    if (outgoing.reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET')
      return asked(url, method, headers, body);
    throw error;
  }
  const content = await buffer(response);
  const fields = new Headers();
  const { rawHeaders } = response;
  for (let index = 0; index < rawHeaders.length; index += 2)
    fields.append(rawHeaders[index] ?? '', rawHeaders[index + 1] ?? '');
  return {
    status: response.statusCode ?? 0,
    headers: fields,
    text: (fields.get('content-encoding') === 'gzip' ? gunzipSync(content) : content).toString(),
  };
}
