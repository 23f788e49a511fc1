{
echo never
if then
}
