/** Environment variable by which a worker learns how its node calls itself in `Via`, to see a loop of nodes. */
export const viaVariable = 'CACHE_NODE_VIA';
