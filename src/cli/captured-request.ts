import { usageError } from './exit-codes.ts';

/** Header fields of a captured request. */
export interface CapturedRequest {
  /** Values of each `DPoP` field, in order. */
  readonly proofs: readonly string[];
  /** Scheme and token of each `Authorization` field. */
  readonly credentials: readonly { readonly scheme: string; readonly token: string }[];
}

/**
 * Reads header lines, with or without the `> ` of `curl -v`, and with or without a request line.
 * Throws CommandError.
 */
export function capturedRequest(text: string): CapturedRequest {
  const proofs: string[] = [];
  const credentials: { scheme: string; token: string }[] = [];
  let fields = 0;
  for (const line of text.split(/\r?\n/)) {
    const match = /^(?:> ?)?([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*$/.exec(line);
    if (match === null) continue;
    const [, name = '', value = ''] = match;
    fields++;
    if (name.toLowerCase() === 'dpop') proofs.push(value);
    if (name.toLowerCase() !== 'authorization') continue;
    const [scheme = '', ...rest] = value.split(' ');
    credentials.push({ scheme, token: rest.join(' ').trim() });
  }
  if (fields === 0) throw usageError('Standard input has no header fields, such as DPoP: eyJ….');
  return { proofs, credentials };
}
