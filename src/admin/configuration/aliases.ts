import { type Document, isAlias, isCollection, isNode, isPair, isScalar, visit } from 'yaml';

/** What is wrong with an alias, and its position in the text. */
export interface AliasFault {
  readonly pos: readonly [number];
  readonly message: string;
}

/** Maximum characters of all values, each counted as often as an alias repeats it. */
const mostCharacters = 8 * 1024 * 1024;

/**
 * Finds aliases without an anchor, those that contain themselves, and the first one that makes the
 * values too large: a few lines can expand to billions.
 */
export function aliasFaults(document: Document): readonly AliasFault[] {
  const faults: AliasFault[] = [];
  const targets = new Map<unknown, unknown>();
  const anchors = new Map<string, unknown>();
  const fault = (alias: unknown, message: string) => {
    const [offset = 0] = (isNode(alias) && alias.range) || [];
    faults.push({ pos: [offset], message });
  };
  visit(document, {
    Node(_key, node) {
      if (!isAlias(node)) {
        if (node.anchor !== undefined) anchors.set(node.anchor, node);
      } else if (anchors.has(node.source)) targets.set(node, anchors.get(node.source));
      else fault(node, `there is no anchor ${node.source}`);
    },
  });
  const sizes = new Map<unknown, number | 'measured now'>();
  const sizeOf = (node: unknown): number => {
    const known = sizes.get(node);
    if (typeof known === 'number') return known;
    sizes.set(node, 'measured now');
    const size = isCollection(node)
      ? sizeOfAll(node.items.flatMap((item) => (isPair(item) ? [item.key, item.value] : [item])))
      : (isScalar(node) && String(node.value).length) || 1;
    sizes.set(node, size);
    return size;
  };
  const sizeOfAll = (nodes: readonly unknown[]) => {
    let total = 2;
    for (const node of nodes) {
      const target = isAlias(node) ? targets.get(node) : node;
      if (sizes.get(target) === 'measured now')
        fault(node, 'the alias refers to what it stands in');
      else total += sizeOf(target);
      if (!isAlias(node) || total <= mostCharacters) continue;
      fault(node, 'with this alias the file has more than 8 MiB');
      return 2;
    }
    return total;
  };
  sizeOf(document.contents);
  return faults;
}
