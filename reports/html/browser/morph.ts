// Makes what stands in a page that which is to stand there, and leaves alone what is the same already: an element that stays keeps
// its focus, its scroll position, and whether it is folded. Charts are drawn by their views, not from HTML.

/** Makes the children of `old` those of `fresh`, which is used up. */
export function morphChildren(old: Element, fresh: Element | DocumentFragment): void {
  let place = old.firstChild;
  const left = new Map<string, number>();
  for (const child of fresh.childNodes) count(left, signature(child), 1);
  for (const wanted of [...fresh.childNodes]) {
    const sign = signature(wanted);
    count(left, sign, -1);
    const found = nextAlike(place, sign);
    if (found === null) {
      old.insertBefore(wanted, place);
      continue;
    }
    place = bringHere(old, place, found, left);
    morph(found, wanted);
    place = found.nextSibling;
  }
  while (place !== null) {
    const next: ChildNode | null = place.nextSibling;
    place.remove();
    place = next;
  }
}

/** The node at the place or behind it that can become this one. */
function nextAlike(place: ChildNode | null, sign: string): ChildNode | null {
  for (let node = place; node !== null; node = node.nextSibling) if (signature(node) === sign) return node;
  return null;
}

/**
 * Takes away what stands between the place and the node that was found; what is still wanted goes behind it. The node itself
 * is not moved: one that moves loses its focus.
 */
function bringHere(parent: Element, place: ChildNode | null, found: ChildNode, left: Map<string, number>): ChildNode {
  for (let node = place; node !== null && node !== found; ) {
    const next: ChildNode | null = node.nextSibling;
    if ((left.get(signature(node)) ?? 0) > 0) parent.append(node);
    else node.remove();
    node = next;
  }
  return found;
}

function count(counts: Map<string, number>, sign: string, by: 1 | -1): void {
  counts.set(sign, (counts.get(sign) ?? 0) + by);
}

/** Nodes of one signature stand for the same thing: by an id, what names it, or its heading. */
function signature(node: Node): string {
  if (!(node instanceof Element)) return node.nodeName;
  const name = node.id || node.getAttribute('aria-labelledby') || node.getAttribute('aria-label');
  const heading = node.querySelector(':scope > h2, :scope > h3')?.textContent;
  return [node.nodeName, node.classList[0], name || heading].join(' ');
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
