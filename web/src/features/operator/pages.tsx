export function OperatorPage() { return <h1>Operator</h1>; }
export function FirstRunPage() { return <h1>First run</h1>; }
