// The keys of nodes, and of the sites where they and the devices are.

import { id, keys, list, quantity, text, whole } from './values.ts';

export const siteSchema = keys('one site', {
  id: id('an id of the site').describe('Name of the site in this file'),
  link: quantity('rate', 'aboveZero').optional().describe('Rate of its link, each way; default: not limited'),
  count: whole('a whole number of sites, 1 to 100000', 1, 100_000)
    .default(1)
    .describe('How many such sites there are; devices are dealt to them in turn'),
  parent: id('an id of a site').optional().describe('The site that it lies in; default: its link leads to the CDN'),
}).transform(({ link, ...rest }) => ({ ...rest, linkBytesPerMs: link }));

const limitSchema = keys('limits that hold in both worlds', {
  egress: quantity('rate', 'aboveZero').optional().describe('Most body bytes that the node may send to clients'),
}).transform(({ egress }) => ({ egressBytesPerMs: egress }));

/** One size a drive. Microsoft's node takes up to nine (facts, 3.5). */
export const driveSizes = list('drive sizes such as 50 GB', quantity('bytes', 'aboveZero'), 1).max(9, {
  error: 'at most 9 drives',
});

export const nodeSchema = keys('one cache node', {
  id: id('an id of the node').describe('Name of the node in this file'),
  site: id('an id of a site').optional().describe('Site where it stands; default: where the CDN is'),
  profile: id('the name of a hardware profile').optional().describe('Hardware profile; binds the virtual world'),
  egress: quantity('rate', 'aboveZero').optional().describe('Modelled rate to clients; binds the virtual world'),
  wan: quantity('rate', 'aboveZero').optional().describe('Modelled rate from upstream; binds the virtual world'),
  drives: driveSizes.optional().describe('Modelled drives, one size each; binds the virtual world'),
  cores: whole('a whole number of cores, 1 to 1024', 1, 1024)
    .optional()
    .describe('Modelled processor cores; binds the virtual world'),
  memory: quantity('bytes', 'aboveZero').optional().describe('Modelled memory; binds the virtual world'),
  limit: limitSchema.optional().describe('Enforced in both worlds'),
  url: text('an address of the form http://host or http://host:port', /^http:\/\/[^\s/?#@]+\/?$/)
    .refine((url) => URL.canParse(url), { error: 'an address of the form http://host or http://host:port' })
    .transform((url) => url.replace(/\/$/, ''))
    .optional()
    .describe('A node that we did not start; live world only'),
  parent: id('an id of a node').optional().describe('The node that this one fetches from; default: the CDN'),
}).transform(({ egress, wan, drives, memory, ...rest }) => ({
  ...rest,
  egressBytesPerMs: egress,
  wanBytesPerMs: wan,
  drivesBytes: drives,
  memoryBytes: memory,
}));
