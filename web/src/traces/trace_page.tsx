export function TracePage({id}: {id: string}) { return <p>{id}</p>; }
