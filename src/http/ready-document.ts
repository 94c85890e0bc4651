import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { RandomId } from '../ports.ts';

/** A document as it goes out. */
interface ReadyDocument {
  /** ASCII. */
  readonly body: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** Header fields with which a request asks for more than the document, or could be read in two ways: those go to the route. */
const forTheRoute = ['if-none-match', 'content-length', 'transfer-encoding', 'content-encoding'] as const;

/**
 * Answers a plain GET of exactly this target before the framework, whose share of such a request is as large as Node's own. Any other request, and
 * every one while the server is closing, goes on to the route of the same path, which must give the same answer.
 * @param current the same object as long as it has not changed
 */
export function answerReadyDocument(app: FastifyInstance, path: string, contentType: string, current: () => ReadyDocument, randomId: RandomId): void {
  let rendered: { readonly of: ReadyDocument; readonly head: readonly string[] } | undefined;
  const headOf = (document: ReadyDocument): readonly string[] => {
    if (rendered?.of !== document) {
      const fields = { ...document.fields, 'content-type': contentType, 'content-length': String(document.body.length) };
      rendered = { of: document, head: Object.entries(fields).flat() };
    }
    return rendered.head;
  };
  const answer = (response: ServerResponse) => {
    const began = performance.now();
    const document = current();
    const reqId = randomId();
    response.writeHead(200, ['x-request-id', reqId, ...headOf(document)]).end(document.body, 'latin1');
    const ms = Math.round((performance.now() - began) * 10) / 10;
    app.log.info({ reqId, method: 'GET', route: path, status: 200, ms }, 'request');
  };
  const handlers = app.server.listeners('request') as ((request: IncomingMessage, response: ServerResponse) => void)[];
  app.server.removeAllListeners('request').on('request', (request, response) => {
    if (request.url === path && request.method === 'GET' && isPlain(request) && app.server.listening) answer(response);
    else for (const handle of handlers) handle(request, response);
  });
}

function isPlain({ headers, rawHeaders }: IncomingMessage): boolean {
  if (forTheRoute.some((name) => headers[name] !== undefined)) return false;
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) if (rawHeaders[index]?.toLowerCase() === 'host') hosts++;
  return hosts <= 1;
}
