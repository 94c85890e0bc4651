import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { HolderError } from '../../../packages/client/src/holder-error.ts';
import { codeOf } from '../secret.ts';
import { endToEnd } from './fields.ts';
import { answerOf, handBack } from './forward.ts';
import { type LocalRefusal, localRefusal } from './local-request.ts';
import { type Answer, type Bridge, IdleTimeout } from './send.ts';

/** Logs one line per refusal or failure, with nothing of the request but its method. */
type Log = (line: string) => void;

/** The server for local programs; `stop` ends it within this many milliseconds. */
export interface BridgeServer {
  readonly server: Server;
  stop(milliseconds: number): Promise<void>;
}

/** Creates the bridge on a server that does not listen yet. */
export function bridgeServer(bridge: Bridge, log: Log): BridgeServer {
  const { idleTimeout } = bridge;
  // A slow upload is fine, a stalled one is not.
  const server = createServer({
    requestTimeout: 0,
    keepAliveTimeout: 65_000,
    // Java offers h2c with every request but also accepts HTTP/1.1 (RFC 9110 §7.8). Node.js before
    // 24.9 ignores this option, so such an offer is refused below.
    shouldUpgradeCallback: isWebSocket,
  });
  server.timeout = idleTimeout === 0 ? 0 : idleTimeout + 5_000;
  const webSockets = new Set<Duplex>();
  const on = (request: IncomingMessage, response: ServerResponse, more?: More) =>
    void serve({ bridge, log, request, response, ...more });
  server.on('request', (request, response) => on(request, response));
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) =>
    on(request, response, { whenReady: () => response.writeContinue() }),
  );
  server.on('connect', (request: IncomingMessage, socket: Duplex) =>
    fail(
      log,
      request,
      onSocket(request, socket),
      new Refused(405, 'CONNECT is not for this bridge'),
    ),
  );
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    webSockets.add(socket);
    socket.once('close', () => webSockets.delete(socket));
    on(request, onSocket(request, socket), { webSocket: { socket, head } });
  });
  return {
    server,
    async stop(milliseconds) {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of webSockets) socket.destroy();
      const timer = setTimeout(() => server.closeAllConnections(), milliseconds);
      await closed;
      clearTimeout(timer);
    },
  };
}

interface More {
  /** For a WebSocket request: the connection and the first bytes after the header. */
  readonly webSocket?: { readonly socket: Duplex; readonly head: Buffer };
  /** Called before the body is read. */
  readonly whenReady?: () => void;
}

interface Serving extends More {
  readonly bridge: Bridge;
  readonly log: Log;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

class Refused extends Error {
  readonly status: number;
  constructor(status: number, detail: string) {
    super(detail);
    this.status = status;
  }
}

async function serve({ bridge, log, request, response, webSocket, whenReady }: Serving) {
  // The client has disconnected and needs no answer.
  request.on('error', () => undefined);
  try {
    const refusal =
      localRefusal(request, bridge.policy) ??
      (webSocket === undefined ? undefined : upgradeRefusal(request));
    if (refusal !== undefined) throw new Refused(refusal.status, refusal.detail);
    const answer = await answerOf(bridge, {
      request,
      gone: goneSignal(response),
      upgrade: webSocket !== undefined,
      whenReady: whenReady ?? (() => undefined),
    });
    if (answer.socket === undefined) return await handBack(answer, response);
    if (webSocket === undefined || webSocket.socket.destroyed) {
      answer.socket.destroy();
      throw new Refused(502, 'the API switched protocols unasked');
    }
    response.detachSocket(webSocket.socket as never);
    joinSockets(webSocket.socket, webSocket.head, answer, answer.socket);
  } catch (error) {
    fail(log, request, response, error);
  }
}

function isWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}

function upgradeRefusal(request: IncomingMessage): LocalRefusal | undefined {
  const { headers } = request;
  if (!isWebSocket(request))
    return { status: 501, detail: 'of upgrades the bridge knows WebSocket alone' };
  if (headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined)
    return { status: 400, detail: 'a request for a WebSocket has no body' };
  return undefined;
}

/** Joins both ends of a WebSocket; closing one closes the other. */
function joinSockets(local: Duplex, head: Buffer, { message, head: first }: Answer, api: Duplex) {
  const { rawHeaders, statusMessage = '' } = message;
  const fields = [...endToEnd(rawHeaders), 'Connection', 'Upgrade', 'Upgrade', 'websocket'];
  const lines = fields.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${fields[at + 1]}`] : []));
  local.write(`HTTP/1.1 101 ${statusMessage}\r\n${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  if (first !== undefined && first.length > 0) local.write(first);
  if (head.length > 0) api.write(head);
  local.once('close', () => api.destroy());
  api.on('error', () => local.destroy()).once('close', () => local.end());
  for (const socket of [local, api]) socket.on('timeout', () => socket.destroy());
  local.pipe(api).pipe(local);
}

/** A response on a socket that the server no longer owns. */
function onSocket(request: IncomingMessage, socket: Duplex): ServerResponse {
  socket.on('error', () => undefined);
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket as never);
  response.once('finish', () => socket.end());
  return response;
}

function goneSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) controller.abort();
  });
  return controller.signal;
}

function fail(log: Log, { method }: IncomingMessage, response: ServerResponse, error: unknown) {
  if (response.destroyed || response.socket?.destroyed === true) return;
  if (response.headersSent) {
    log(`${method}: the answer was cut off`);
    response.destroy();
    return;
  }
  const { status, detail } = failureOf(error);
  log(`${status} ${method}: ${detail}`);
  response
    .writeHead(status, {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      connection: 'close',
      ...(status === 401 && { 'www-authenticate': 'Bearer realm="holdfast bridge"' }),
    })
    .end(JSON.stringify({ status, detail: `holdfast bridge: ${detail}` }));
}

/** Describes network errors by code only, because they may contain the request. */
function failureOf(error: unknown): LocalRefusal {
  if (error instanceof Refused) return { status: error.status, detail: error.message };
  if (error instanceof IdleTimeout) return { status: 504, detail: 'the API sent nothing for long' };
  if (error instanceof HolderError) return { status: 502, detail: error.message };
  return { status: 502, detail: `no answer from the API: ${codeOf(error)}` };
}
