import type { Credential } from '../../domain/credential-use.ts';
import type { NoteUse } from '../../ports/credential-use-log.ts';

/** Notes the secret or certificate by which somebody has authenticated. An assertion is noted where its `jti` is spent: before, it may be a copy. */
export function noted<Request, Caller extends { readonly credential?: Credential }>(
  authenticate: (request: Request) => Promise<Caller>,
  noteUse: NoteUse,
  identityOf: (caller: Caller) => string,
): (request: Request) => Promise<Caller> {
  return async (request) => {
    const caller = await authenticate(request);
    const { credential } = caller;
    if (credential !== undefined)
      noteUse(identityOf(caller), credential.kind, credential.identifier);
    return caller;
  };
}
