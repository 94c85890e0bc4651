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

function codeOf(error: unknown): string {
  const { name, code, cause } = (error ?? {}) as {
    readonly name?: unknown;
    readonly code?: unknown;
    readonly cause?: { readonly code?: unknown };
  };
  // `code` of a DOMException is a number without meaning.
  const said = [cause?.code, code, name].find((value) => typeof value === 'string');
  return typeof said === 'string' ? said : 'unknown error';
}
