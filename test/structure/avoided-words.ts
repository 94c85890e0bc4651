/** A word that the glossary replaces, in identifiers, file names and prose. */
export interface AvoidedWord {
  /** What to write, and in place of what. */
  readonly instead: string;
  readonly pattern: RegExp;
  /** Phrases in which the word is the right one, each with its reason. */
  readonly exceptions?: readonly {
    readonly phrase: RegExp | string;
    readonly reason: string;
    /** The folder or file to which the exception is limited. */
    readonly in?: string;
  }[];
}

/** The right-hand column of the glossary in docs/architecture.md. */
export const avoidedWords: readonly AvoidedWord[] = [
  {
    instead: 'additional holder, not further holder or shared token',
    pattern: /further.?holder|shared.token/i,
  },
  {
    instead: 'resource server, not recipient or verifier',
    pattern: /\brecipients?\b|[a-z]Recipient|recipient[A-Z]|\bverifiers?\b/i,
    exceptions: [
      { phrase: /code.verifier/gi, reason: 'PKCE calls it so (RFC 7636).' },
      {
        phrase: /stock verifiers?/gi,
        reason: 'A library that verifies JWTs, not a resource server.',
      },
      {
        phrase: /(JWT|token|third-party|other|released|common) verifiers?/gi,
        reason: 'A library that verifies JWTs, not a resource server.',
      },
    ],
  },
  {
    instead: 'peers, broadcast and invalidate, not siblings, tell or rounds',
    pattern: /\bsiblings?\b|\bonTold\b|\bnoSiblings\b|tell\(\)/i,
  },
  {
    instead:
      'poller, job runner and background jobs, not read-again, housekeeping or periodic work',
    pattern: /read.?again\b|housekeeping|periodic.?work/i,
    exceptions: [
      {
        phrase: 'HOUSEKEEPING_INTERVAL',
        reason: 'The old name of CLEANUP_INTERVAL, which stops the start.',
      },
    ],
  },
  {
    instead:
      'load shedding, concurrency limit and event-loop yield, not overload, admission or short turns',
    pattern: /\boverload|\badmission|short.?turns?/i,
    exceptions: [
      { phrase: /overload(s|ed)? (of|the) function/gi, reason: 'TypeScript calls it so.' },
    ],
  },
  {
    instead: 'transaction and audited transaction, not all-or-nothing or recorded change',
    pattern: /all.?or.?nothing|recorded.?change\b/i,
  },
  {
    instead: 'write lock and writer thread, not write turns',
    pattern: /write.?turns?\b/i,
  },
  {
    instead: 'discard dirty connections, not whole connections',
    pattern: /whole.?connections?\b/i,
  },
  {
    instead: 'registration cache and cache version, not registry state',
    pattern: /registry.?state/i,
  },
  {
    instead:
      'public-key cache, verified-header cache and two-generation cache, not gated keys, known headers or generations',
    pattern: /gated.?keys|known.?headers|\bgenerations\b/i,
  },
  {
    instead: 'key ring, key states and database clock, not held keys, life cycle or shared clock',
    pattern: /held.?keys|life.?cycle|shared.?clock|make.?key\b/i,
  },
  {
    instead:
      'token status, active holders, find presenter and check presented proof, not token in force, live holders, presenter by or confirming proof',
    pattern: /token.?in.?force|live.?holders?|presenter.?by\b|confirming.?proof/i,
  },
  {
    instead:
      'JoseError, CorruptRow, SigningKeyUnavailable and orStoreUnavailable, not JoseFault, StoredValueInvalid, SigningKeySealed or answered()',
    pattern: /jose.?fault|StoredValueInvalid|SigningKeySealed|\banswered\(/i,
  },
  {
    instead: 'instrumented authentication, not counted, noted or counting strangers',
    pattern: /counting.?strangers?|\bcounted\(|\bnoted\(/i,
  },
  {
    instead: 'bytes, not octets',
    pattern: /octet/i,
    exceptions: [
      { phrase: /OCTET STRING/g, reason: 'X.690 calls the type so.' },
      { phrase: /(application\/)?octet-stream/g, reason: 'The media type (RFC 2046 §4.5.1).' },
      { phrase: /oct(et)? sequence/gi, reason: 'RFC 7518 §6.4 names the key type so.' },
      { phrase: /identifier octets?/gi, reason: 'X.690 §8.1.2 calls it so.', in: 'src/x509/' },
    ],
  },
  {
    instead: 'token-endpoint fixture, not desk',
    pattern: /\bdesk\b/i,
  },
  {
    instead: 'plain English, without phrases that sound translated',
    pattern:
      /complained of|is told of|stands? on record|at once so|who(ever)? (it|is) told|nothing may rest|has not the|as last read:|save for what/i,
  },
];
