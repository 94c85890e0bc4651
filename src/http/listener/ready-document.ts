import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { RandomId } from '../../ports/ports.ts';

/** A document as it goes out. */
interface ReadyDocument {
  /** ASCII. */
  readonly body: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** Header fields with which a request asks for more than the document, or could be read in two ways: those go to the route. */
const forTheRoute: ReadonlySet<string> = new Set([
  'if-none-match',
  'content-length',
  'transfer-encoding',
  'content-encoding',
]);

/**
 * Answers a plain GET of exactly this target before the framework, whose share of such a request is as large as Node's own. Any other request, and
 * every one while the server is closing, goes on to the route of the same path, which must give the same answer.
 * @param current the same object as long as it has not changed
 */
export function answerReadyDocument(
  app: FastifyInstance,
  path: string,
  contentType: string,
  current: () => ReadyDocument,
  randomId: RandomId,
): void {
  let rendered: { readonly of: ReadyDocument; readonly head: readonly string[] } | undefined;
  const headOf = (document: ReadyDocument): readonly string[] => {
    if (rendered?.of !== document) {
      const fields = {
        ...document.fields,
        'content-type': contentType,
        'content-length': String(document.body.length),
      };
      rendered = { of: document, head: Object.entries(fields).flat() };
    }
    return rendered.head;
  };
  const log = app.log.child({ method: 'GET', route: path, status: 200 });
  const answer = (response: ServerResponse) => {
    const began = performance.now();
    const document = current();
    const reqId = randomId();
    response
      .writeHead(200, ['x-request-id', reqId, ...headOf(document)])
      .end(document.body, 'latin1');
    const ms = Math.round((performance.now() - began) * 10) / 10;
    log.info({ reqId, ms }, 'request');
  };
  const handlers = app.server.listeners('request') as ((
    request: IncomingMessage,
    response: ServerResponse,
  ) => void)[];
  app.server.removeAllListeners('request').on('request', (request, response) => {
    if (
      request.url === path &&
      request.method === 'GET' &&
      isPlain(request) &&
      app.server.listening
    )
      answer(response);
    else for (const handle of handlers) handle(request, response);
  });
}

/** Looks at the fields as they came: `headers` would sort them into an object, which costs more than the rest. */
function isPlain({ rawHeaders }: IncomingMessage): boolean {
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]?.toLowerCase() ?? '';
    if (forTheRoute.has(name)) return false;
    if (name === 'host') hosts++;
  }
  return hosts <= 1;
}
