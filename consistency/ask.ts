import { Agent, request } from 'undici';
import { adminToken } from '../test/support/server.ts';
import type { Cluster } from './cluster.ts';
import { replicaField } from './nginx.ts';
import type { Recorder } from './record.ts';

/** The answer to a request, or `lost`, with its start and end. */
export interface Asked {
  readonly start: number;
  readonly end: number;
  readonly status: number | 'lost';
  readonly by?: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Sends requests through nginx and records the answers. */
export interface Asker {
  /** A form to the public listener. */
  form(
    path: string,
    form: Readonly<Record<string, string>>,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Asked>;
  get(path: string): Promise<Asked>;
  admin(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: object): Promise<Asked>;
  readonly record: Recorder['add'];
  /** Milliseconds since the run began. */
  now(): number;
  close(): Promise<void>;
}

/** Milliseconds after which an answer counts as lost. */
const patience = 4000;

/** Opens connections to the cluster. */
export function asker(
  { url, adminUrl }: Pick<Cluster, 'url' | 'adminUrl'>,
  record: Recorder['add'],
): Asker {
  const dispatcher = new Agent({
    connections: 128,
    headersTimeout: patience,
    bodyTimeout: patience,
    connect: { timeout: 1000 },
  });
  const began = performance.now();
  const now = () => Math.round((performance.now() - began) * 1000) / 1000;
  const send = async (
    target: string,
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
    headers: Record<string, string>,
    body?: string,
  ): Promise<Asked> => {
    const start = now();
    try {
      const answer = await request(target, {
        dispatcher,
        method,
        headers,
        ...(body !== undefined && { body }),
      });
      const text = await answer.body.text();
      const by = answer.headers[replicaField];
      const json = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {};
      const tried = typeof by === 'string' ? by.split(', ') : [];
      // nginx repeats a DELETE if the first replica dies, which may have deleted already.
      const status =
        tried.length > 1 && method !== 'GET' && answer.statusCode >= 400
          ? 'lost'
          : answer.statusCode;
      const last = tried.at(-1);
      return { start, end: now(), status, body: json, ...(last !== undefined && { by: last }) };
    } catch {
      return { start, end: now(), status: 'lost', body: {} };
    }
  };
  return {
    form: (path, form, headers = {}) =>
      send(
        `${url}${path}`,
        'POST',
        { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        new URLSearchParams(form).toString(),
      ),
    get: (path) => send(`${url}${path}`, 'GET', {}),
    admin: (method, path, body) =>
      send(
        `${adminUrl}/${path}`,
        method,
        {
          authorization: `Bearer ${adminToken}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        body === undefined ? undefined : JSON.stringify(body),
      ),
    record,
    now,
    close: () => dispatcher.destroy(),
  };
}
