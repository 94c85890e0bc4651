import type { FastifyError } from 'fastify';
import { edits } from '../config/edit-distance.ts';
import { patternInWords } from './patterns.ts';

/** One fault of a request: the member, such as `jwks.keys[0].d`, and what is wrong with it. */
export interface Fault {
  readonly member: string;
  readonly detail: string;
}

/** A fault as Ajv reports it in verbose mode. */
type SchemaFault = NonNullable<FastifyError['validation']>[number] & {
  readonly parentSchema?: { readonly properties?: object };
};

/** Turns a schema fault into a sentence about the member. */
export function faultOf(fault: SchemaFault): Fault {
  const { keyword, params, instancePath } = fault;
  const extra = params['additionalProperty'] ?? params['missingProperty'];
  const steps = instancePath.split('/').slice(1).map(unescaped);
  const path = [...steps, ...(typeof extra === 'string' ? [extra] : [])]
    .join('.')
    .replace(/\.(\d+)/g, '[$1]');
  const sentence = sentences[keyword]?.(params, fault) ?? fault.message ?? 'is not acceptable';
  return { member: path === '' ? 'body' : path, detail: `the member ${sentence}` };
}

/** Decodes one step of a JSON Pointer (RFC 6901 §4). */
function unescaped(step: string): string {
  return step.replaceAll('~1', '/').replaceAll('~0', '~');
}

type Params = Readonly<Record<string, unknown>>;

const sentences: Readonly<
  Record<string, (params: Params, fault: SchemaFault) => string | undefined>
> = {
  additionalProperties: ({ additionalProperty }, { parentSchema }) => {
    const members = Object.keys(parentSchema?.properties ?? {});
    const nearest = nearestOf(String(additionalProperty), members);
    return `is unknown${nearest === undefined ? '' : `; the nearest known member is ${nearest}`}`;
  },
  required: () => 'is required',
  type: ({ type }) => `must be ${[type].flat().map(typeInWords).join(' or ')}`,
  enum: ({ allowedValues }) => `must be one of: ${[allowedValues].flat().map(String).join(', ')}`,
  pattern: ({ pattern }) => {
    const words = patternInWords(pattern);
    return words && `must be ${words}`;
  },
  format: ({ format }) =>
    format === 'date-time'
      ? 'must be a time in the form of RFC 3339, such as 2026-01-31T12:00:00Z'
      : undefined,
  minLength: ({ limit }) => `must have at least ${quantity(limit, 'character')}`,
  maxLength: ({ limit }) => `must have at most ${quantity(limit, 'character')}`,
  minItems: ({ limit }) => `must have at least ${quantity(limit, 'item')}`,
  maxItems: ({ limit }) => `must have at most ${quantity(limit, 'item')}`,
  uniqueItems: ({ i, j }) => {
    const [first, second] = [Number(i), Number(j)].sort((a, b) => a - b);
    return `must not repeat an item: [${first}] and [${second}] are equal`;
  },
  minimum: ({ limit }) => `must be at least ${String(limit)}`,
  maximum: ({ limit }) => `must be at most ${String(limit)}`,
};

function quantity(count: unknown, thing: string): string {
  return `${String(count)} ${thing}${count === 1 ? '' : 's'}`;
}

function typeInWords(type: unknown): string {
  if (type === 'null') return 'null';
  return `${/^[aeiou]/.test(String(type)) ? 'an' : 'a'} ${String(type)}`;
}

/** Finds the known name that is at most two edits away, ignoring case and separators. */
export function nearestOf(name: string, known: readonly string[]): string | undefined {
  if (name.length > 100) return undefined;
  const plain = (text: string) => text.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  const [nearest] = known
    .map((other) => ({ other, distance: edits(plain(name), plain(other)) }))
    .filter(({ distance }) => distance <= 2)
    .sort((a, b) => a.distance - b.distance);
  return nearest?.other;
}
