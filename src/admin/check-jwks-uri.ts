import { Problem } from './problem.ts';

/** Whether a `jwks_uri` may ever be fetched, as far as its host name tells. */
export type MayBeFetched = (uri: string, allowPrivateAddresses?: boolean) => boolean;

/** Refuses a `jwks_uri` that would never be fetched. Throws Problem. */
export function checkJwksUri(uri: string, mayBeFetched: MayBeFetched): void {
  if (!URL.canParse(uri)) throw new Problem(400, 'jwks_uri is not a URL', 'jwks_uri');
  if (!mayBeFetched(uri))
    throw new Problem(
      400,
      'nothing is fetched from the host of jwks_uri: it is not public, or not in ASCII',
      'jwks_uri',
    );
}
