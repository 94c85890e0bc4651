/** Seconds for which an upstream may accept the assertion of a gateway. */
export const assertionLifetime = 30;

/** One algorithm for all upstreams: every JWT library verifies it. */
export const assertionAlg = 'ES256';
