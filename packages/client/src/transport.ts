import { HolderError } from './holder-error.ts';

/** Sends a request. */
export type Send = (url: string, init: RequestInit) => Promise<Response>;

/** Sends with the caller's `fetch`, or the global one, and the dispatcher, if any. */
export function transport(given: typeof fetch | undefined, dispatcher: object | undefined): Send {
  return async (url, init) => {
    const send = given ?? globalThis.fetch;
    return send(url, dispatcher === undefined ? init : ({ ...init, dispatcher } as RequestInit));
  };
}

/**
 * Sends a request to the authorization server. Throws HolderError if there is no response, with
 * only the code of the failure, since errors of a `fetch` may contain the request.
 */
export async function askServer(send: Send, url: string, init: RequestInit): Promise<Response> {
  try {
    return await send(url, init);
  } catch (error) {
    throw new HolderError(
      'server_unreachable',
      `no answer of the authorization server at ${new URL(url).origin}: ${codeOf(error)}`,
    );
  }
}

interface Failure {
  readonly code?: unknown;
  readonly message?: unknown;
}

function codeOf(error: unknown): string {
  const { name, code, cause } = (error ?? {}) as {
    readonly name?: unknown;
    readonly code?: unknown;
    readonly cause?: Failure & { readonly errors?: readonly Failure[] };
  };
  // `fetch` never uses the ports of some other protocols, and has no code for that.
  if (cause?.message === 'bad port') return 'bad port';
  // A name with several addresses has a failure for each.
  const codes = [cause?.code, cause?.errors?.[0]?.code, code, name];
  // `code` of a DOMException is a number without meaning.
  const said = codes.find((value) => typeof value === 'string');
  return typeof said === 'string' ? said : 'unknown error';
}
