import { type Document, isScalar, visit, type YAMLError } from 'yaml';

/** What is wrong with a text, and its position. */
export interface YamlFault {
  readonly pos: readonly [number, ...number[]];
  readonly message: string;
}

/** Sentences for what YAML refuses; those of the library quote the text, and so maybe a secret. */
const sentences: Readonly<Record<string, string>> = {
  ALIAS_PROPS: 'an alias cannot have an anchor or a tag',
  BAD_ALIAS: 'this name of an anchor is empty or ends in a colon',
  BAD_COLLECTION_TYPE: 'this tag is not supported',
  BAD_DIRECTIVE: 'this directive is not supported',
  BAD_DQ_ESCAPE: 'a backslash in double quotes begins an escape sequence: double it',
  BAD_INDENT: 'the indentation does not fit, or a closing bracket is missing',
  BAD_PROP_ORDER: 'an anchor or a tag must come after the indicator',
  BAD_SCALAR_START: 'a text that begins with this character needs quotes',
  BLOCK_AS_IMPLICIT_KEY:
    'this value needs quotes if it contains a colon, or else a line of its own',
  BLOCK_IN_FLOW: 'between brackets or braces, everything must be in brackets or braces',
  KEY_OVER_1024_CHARS: 'the name of a member is too long',
  MISSING_CHAR: 'something is missing here: a comma, a colon, a blank or a closing quote',
  MULTILINE_IMPLICIT_KEY: 'the name of a member must be on one line, and followed by a colon',
  MULTIPLE_ANCHORS: 'a value can have only one anchor',
  MULTIPLE_DOCS: 'a second document begins here: put everything into one, without ---',
  MULTIPLE_TAGS: 'a value can have only one tag',
  NON_STRING_KEY: 'the name of a member must be text: fill in templates such as {{ … }} first',
  RESOURCE_EXHAUSTION: 'the file is nested too deeply',
  TAB_AS_INDENT: 'tabs cannot indent: use blanks',
  TAG_RESOLVE_FAILED: 'this tag is not supported, or its value does not fit',
};

/** Finds what is no UTF-8, no YAML, or not supported here. */
export function yamlFaults(text: string, document: Document): readonly YamlFault[] {
  const undecoded = text.search(/[\0\ufffd]/);
  if (undecoded >= 0)
    return [
      { pos: [undecoded], message: 'the file is not UTF-8, or has the character U+FFFD or U+0000' },
    ];
  const keys = new Map<number, string>();
  const merged: YamlFault[] = [];
  visit(document, {
    Pair(_key, { key }) {
      if (!isScalar(key)) return;
      const [at = 0] = key.range ?? [];
      keys.set(at, String(key.value));
      if (key.value === '<<')
        merged.push({ pos: [at], message: 'merge keys (<<) are not supported' });
    },
  });
  const messageOf = ({ code, pos }: YAMLError) => {
    if (code !== 'DUPLICATE_KEY') return sentences[code] ?? 'this is not YAML';
    const name = keys.get(pos[0]);
    return `this member is here twice${name === undefined ? '' : `: ${name}`}`;
  };
  const broken = [...document.errors, ...document.warnings];
  return [...broken.map((fault) => ({ pos: fault.pos, message: messageOf(fault) })), ...merged];
}
