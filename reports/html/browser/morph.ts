// Makes what stands in a page that which is to stand there, and leaves alone what is the same already: an element that stays keeps
// its focus, its scroll position, and whether it is folded. Charts are drawn by their views, not from HTML.

/** Makes the children of `old` those of `fresh`, which is used up. */
export function morphChildren(old: Element, fresh: Element | DocumentFragment): void {
  let place = old.firstChild;
  const wanted = new Map<string, number>();
  for (const child of fresh.childNodes) count(wanted, signature(child), 1);
  for (const child of [...fresh.childNodes]) {
    count(wanted, signature(child), -1);
    const found = nextAlike(place, child, wanted);
    if (found === undefined) {
      old.insertBefore(child, place);
      continue;
    }
    place = bringTo(place, found, wanted);
    morph(found, child);
  }
  while (place !== null) {
    const next: ChildNode | null = place.nextSibling;
    place.remove();
    place = next;
  }
}

/**
 * The node at the place or behind it that can become this one. What has no name of its own is taken only as long as nothing that
 * is wanted stands before it.
 */
function nextAlike(place: ChildNode | null, child: Node, wanted: Map<string, number>): ChildNode | undefined {
  const sign = signature(child);
  const isNamed = nameOf(child) !== undefined;
  for (let node = place; node !== null; node = node.nextSibling) {
    if (signature(node) === sign) return node;
    if (!isNamed && (wanted.get(signature(node)) ?? 0) > 0) return undefined;
  }
  return undefined;
}

/**
 * Takes away what stands between the place and the node that was found, or moves it behind everything where it is still wanted;
 * but not what has the focus, which moving would take from it: then the node comes to the place. Returns the next place.
 */
function bringTo(place: ChildNode | null, found: ChildNode, wanted: Map<string, number>): ChildNode | null {
  for (let node = place; node !== null && node !== found; ) {
    const next: ChildNode | null = node.nextSibling;
    if ((wanted.get(signature(node)) ?? 0) === 0) node.remove();
    else if (node.contains(document.activeElement)) {
      node.before(found);
      return node;
    } else node.parentNode?.append(node);
    node = next;
  }
  return found.nextSibling;
}

function count(counts: Map<string, number>, sign: string, by: 1 | -1): void {
  counts.set(sign, (counts.get(sign) ?? 0) + by);
}

/** Nodes of one signature stand for the same thing. */
function signature(node: Node): string {
  return node instanceof Element ? [node.nodeName, node.classList[0], nameOf(node)].join(' ') : node.nodeName;
}

/** By an id, what names it, or its heading. */
function nameOf(node: Node): string | undefined {
  if (!(node instanceof Element)) return undefined;
  const name = node.id || node.getAttribute('aria-labelledby') || node.getAttribute('aria-label');
  return name || (node.querySelector(':scope > h2, :scope > h3')?.textContent ?? undefined);
}

function morph(old: Node, fresh: Node): void {
  if (old.isEqualNode(fresh)) return;
  if (!(old instanceof Element) || !(fresh instanceof Element)) {
    old.nodeValue = fresh.nodeValue;
    return;
  }
  if (old instanceof HTMLElement && fresh instanceof HTMLElement && old.dataset['plot'] !== undefined) {
    old.style.height = fresh.style.height;
    return;
  }
  for (const { name } of [...old.attributes]) {
    const isReaders = name === 'open' && old.nodeName === 'DETAILS';
    if (!isReaders && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  morphChildren(old, fresh);
}
